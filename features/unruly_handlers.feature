Feature: Handlers that do harm
  What a handler does amiss costs its attempt. The worker, and all other jobs in it, go on.

  Rule: However an attempt fails, only it fails

    Scenario Outline: <what>
      Given a worker with 1 place is at work alone
      When these jobs are submitted
        | job  | type        | payload            | most attempts |
        | wild | unruly.harm | {"what": "<what>"} | 1             |
        | mail |             |                    |               |
      Then "wild" ends DEADLETTER
      And the reason of "wild" says "<reason>"
      And "mail" ends SUCCEEDED

      Examples:
        | what           | reason                                                                      |
        | exit           | SystemExit: 3                                                               |
        | interrupt      | KeyboardInterrupt                                                           |
        | generator exit | GeneratorExit                                                               |
        | group          | BaseExceptionGroup: both (2 sub-exceptions); SystemExit: 5; ValueError: no |
        | unspeakable    | UnspeakableError                                                            |
        | megabytes      | ValueError: xxxxxxxxxx                                                      |
        | recursion      | RecursionError                                                              |

  Rule: A job of a type that no worker knows waits for one that does

    Scenario: It consumes no attempt, and holds up no other job
      Given a worker is at work
      When these jobs are submitted
        | job   | type     | priority |
        | fax   | fax.send | CRITICAL |
        | other |          | LOW      |
      Then "other" ends SUCCEEDED
      And "fax" is QUEUED
      And "fax" has 0 attempts
