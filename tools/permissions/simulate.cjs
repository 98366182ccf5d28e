// Simulates the requests on stdin with the iam-simulate of the folder in the first argument. Prints for each request
// {result, statements}, with the ids of the statements that allow it, or {error}.
"use strict"

const { createRequire } = require("node:module")
const { readFileSync } = require("node:fs")
const { join } = require("node:path")

const { runSimulation } = createRequire(join(process.argv[2], "index.js"))("@cloud-copilot/iam-simulate")

async function simulate({ principal, policy, action, resource, account, context }) {
  const answer = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
      identityPolicies: [{ name: "role", policy }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  )
  if (answer.resultType === "error") {
    return { error: JSON.stringify(answer.errors) }
  }
  const results = answer.result ? [answer.result] : answer.results
  const allowing = results.flatMap((each) => each.analysis.identityAnalysis.allowStatements)
  return { result: answer.overallResult, statements: allowing.map((each) => each.statement.sid()) }
}

async function main() {
  const requests = JSON.parse(readFileSync(0, "utf8"))
  process.stdout.write(JSON.stringify(await Promise.all(requests.map(simulate))))
}

main()
