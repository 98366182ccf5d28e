"""Store entities: one interface for each aggregate, beside its implementations.

    interface                          DynamoDB or S3        in memory (for tests)
    campaigns.CampaignRepository       dynamodb.campaigns    tests.fakes
    clicks.ClickRepository             dynamodb.clicks       tests.fakes
    domains.DomainRepository           dynamodb.domains      tests.fakes
    messages.MessageRepository         dynamodb.messages     tests.fakes
    objects.ObjectStore                s3                    tests.fakes
    personal_records.PersonalRecordRepository
                                       dynamodb.personal_records  tests.fakes
    recipients.RecipientRepository     dynamodb.recipients   tests.fakes
    short_links.ShortLinkRepository    dynamodb.short_links  tests.fakes
    workspaces.WorkspaceRepository     dynamodb.workspaces   tests.fakes

All keys (entities own them; ``models``):

    table       pk                          sk                      item
    clicks      {workspace}#{recipient}     {time}#{click id}       click; expires
    campaigns   C#{campaign}                C                       campaign
                W#{workspace}               {first seen}#{campaign} list of campaigns
                C#{campaign}                L#{link}                link definition
                C#{campaign}                M                       sent message; expires
                C#{campaign}                M#{slot}                one recipient's message; expires
                C#{campaign}                M!                      why there is no message
                C#{campaign}[#{shard}]      N#{counter}             counter, moved by ADD alone
                R#{campaign}#{00..1f}       {recipient}             recipient row: clicks, sums
                R#{campaign}#{00..1f}       ~{recipient}#{number}   overflow item of a full row
                R#{campaign}#{00..1f}       !{batch}                outbox entry: unpublished events
                I#{workspace}#{hash}        I                       idempotency key; expires
                P#{workspace}#{hash}        {campaign}#{digest}     data stored for one person alone
    workspaces  W#{workspace}               W                       name and settings
                W#{workspace}               P#{hash of person}      opt-out
                W#{workspace}               D#{host}                tracking domain
                D                           D#{host}                claim: the workspace of a host
    short links S#{code}                    (none)                  token of a short link; expires
                D#{workspace}#{digest}      (none)                  very long destination

``workspace``, ``campaign`` and ``link`` are ids (``waypost.ids``). A recipient is ``p:{person}``,
``d:{delivery}`` if no person is known, or ``a:{alias}`` after an opt-out.

No table has an index: each write to one would be a second write, and every click is one write to
the ledger. A campaign's counters lie in its own partition until two writers collide there. The
campaign is then marked as ``spread`` and writers move to shards, so that an ordinary report stays
one query (docs/decisions/2026-11-21-counting.md).

``dynamodb.client.DynamoClient`` is the low-level client: boto3's or ``waypost.aws``'s.
"""
