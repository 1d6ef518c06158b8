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

  Rule: A job of a type that no worker knows waits for one that does, but not for ever

    Scenario: The reason says what is missing, and what is there
      Given a worker is at work
      When these jobs are submitted
        | job | type     | first wait |
        | fax | fax.send | 600        |
      Then "fax" becomes RETRYING
      And "fax" has 1 attempt
      And the reason of "fax" says "no handler for job type 'fax.send'"
      And the reason of "fax" says "noop"

    Scenario: It is given up when its attempts are used up
      Given a worker is at work
      When these jobs are submitted
        | job | type     | first wait |
        | fax | fax.send | 0.1        |
      Then "fax" ends DEADLETTER
      And the attempts of "fax" ended RETRY, RETRY, FAILED
      And "fax" waited 0.1, 0.2 seconds between its attempts
