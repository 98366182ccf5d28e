"""Where entities live: one interface per aggregate, DynamoDB and its in-memory twin.

    interface                 DynamoDB                       twin
    clicks.ClickStore         dynamodb.clicks                memory.clicks
    campaigns.CampaignStore   dynamodb.campaigns             memory.campaigns
    messages.MessageStore     dynamodb.messages              memory.messages
    recipients.RecipientStore dynamodb.recipients            memory.recipients
    workspaces.WorkspaceStore dynamodb.workspaces            memory.workspaces
    short_links.ShortLinkStore  dynamodb.short_links         memory.short_links

Every key there is (entities own them; ``model``):

    table       pk                          sk                      what
    clicks      {workspace}#{recipient}     {time}#{click id}       a click; expires
    campaigns   C#{campaign}                C                       campaign
                W#{workspace}               {first seen}#{campaign} the list of campaigns
                C#{campaign}                L#{link}                link, as defined
                C#{campaign}                M                       message, as sent; expires
                C#{campaign}[#{shard}]      N#{counter}             counters, moved by ADD alone
                R#{campaign}#{00..1f}       {recipient}             recipient: counted clicks, sums
                R#{campaign}#{00..1f}       ~{recipient}#{sheet}    what found no room in the row
                R#{campaign}#{00..1f}       !{batch}                events of a batch not told yet
                I#{workspace}#{hash}        I                       an idempotency key; expires
    workspaces  W#{workspace}               W                       settings
                W#{workspace}               P#{hash of person}      opt-out
                W#{workspace}               D#{host}                tracking domain
    short links S#{code}                    (none)                  a short link's token; expires
                D#{workspace}#{digest}      (none)                  a very long destination

``workspace``, ``campaign`` and ``link`` are codes (``waypost.ids``); a recipient is
``p:{person}``, ``d:{delivery}`` where no person is known, or ``a:{alias}`` of one who opted out.

Neither table has an index: every write to one would be a second write, and the ledger is written
once a click. Counters of a campaign lie in its own partition until two writers meet there; then the
campaign is marked ``spread`` and writers move on to partitions of their own, so that an ordinary
report is one query (docs/decisions/2026-11-21-counting.md).

The stores over DynamoDB's low-level calls, whoever makes them (``client.DynamoClient``).

The stores in memory, with the same contracts: for tests, fault runs and models of load.
"""
