Feature: Retries and dead letters
  A job that fails is tried again, not too soon and not for ever.

  Background:
    Given a worker is at work

  Rule: Each wait before a retry is longer than the one before

    Scenario: The wait doubles
      When these jobs are submitted
        | job   | fails | most attempts | first wait |
        | flaky | 3     | 4             | 0.2        |
      Then "flaky" ends SUCCEEDED
      And the attempts of "flaky" ended RETRY, RETRY, RETRY, SUCCEEDED
      And "flaky" waited 0.2, 0.4, 0.8 seconds between its attempts

    Scenario: No wait is longer than the longest
      When these jobs are submitted
        | job   | fails | most attempts | first wait | longest wait |
        | flaky | 3     | 4             | 0.2        | 0.3          |
      Then "flaky" ends SUCCEEDED
      And "flaky" waited 0.2, 0.3, 0.3 seconds between its attempts

    Scenario: Between two attempts the job tells why it waits
      When these jobs are submitted
        | job   | fails | first wait |
        | flaky | 1     | 600        |
      Then "flaky" becomes RETRYING
      And "flaky" has 1 attempt
      And the reason of "flaky" says "failed attempt 1"

    Scenario: A job that waits for its retry does not hold up others
      Given a worker with 1 place is at work alone
      And these jobs are submitted
        | job   | fails | first wait |
        | flaky | 1     | 600        |
      And "flaky" becomes RETRYING
      When the job "report" is submitted
      Then "report" ends SUCCEEDED

  Rule: A job whose attempts are used up is a dead letter, with the reason

    Scenario Outline: Given up because of <reason>
      When these jobs are submitted
        | job    | type   | fails   | runs for   | time limit   | most attempts | first wait |
        | doomed | <type> | <fails> | <runs for> | <time limit> | 2             | 0.1        |
      Then "doomed" ends DEADLETTER
      And "doomed" has 2 attempts
      And the reason of "doomed" says "<reason>"
      And the attempts of "doomed" ended <outcomes>

      Examples:
        | type  | fails  | runs for | time limit | reason                  | outcomes             |
        | noop  | always |          |            | failed attempt 2        | RETRY, FAILED        |
        | noop  |        | 60       | 0.2        | longer than its timeout | TIMED_OUT, TIMED_OUT |

    Scenario: Without a word from the client there are three attempts
      When these jobs are submitted
        | job    | fails  | first wait |
        | doomed | always | 0.1        |
      Then "doomed" ends DEADLETTER
      And "doomed" has 3 attempts

  Rule: A failure that no retry can help ends the job at once

    Scenario: Failed for good
      When these jobs are submitted
        | job    | fails    |
        | doomed | for good |
      Then "doomed" ends FAILED
      And "doomed" has 1 attempt
      And the reason of "doomed" says "failed for good"

  Rule: A job that ended without success can be queued again, with all its attempts

    Scenario: A repaired dead letter succeeds
      Given these jobs are submitted
        | job    | fails  | most attempts | first wait |
        | doomed | always | 2             | 0.1        |
      And "doomed" ends DEADLETTER
      When "doomed" is queued again with the payload
        """
        {"repaired": true}
        """
      Then "doomed" ends SUCCEEDED
      And "doomed" has 1 attempt
      And the attempts of "doomed" ended RETRY, FAILED, SUCCEEDED

    Scenario: Unrepaired, it fails as often again
      Given these jobs are submitted
        | job    | fails  | most attempts | first wait |
        | doomed | always | 2             | 0.1        |
      And "doomed" ends DEADLETTER
      When "doomed" is queued again
      Then "doomed" ends DEADLETTER
      And "doomed" has 2 attempts
      And the attempts of "doomed" ended RETRY, FAILED, RETRY, FAILED

    Scenario: A job that succeeded is not queued again
      Given the job "report" is submitted
      And "report" ends SUCCEEDED
      When "report" is queued again
      Then it is refused as untimely
      And "report" is SUCCEEDED

    Scenario: A job that someone else moved is left alone
      Given these jobs are submitted
        | job    | fails    |
        | doomed | for good |
      And "doomed" ends FAILED
      When "doomed" is queued again as of its first version
      Then it is refused as untimely
      And "doomed" is FAILED

  Rule: A job that is queued again waits behind those that were there

    Scenario: Back of the queue
      Given these jobs are submitted
        | job    | fails    |
        | doomed | for good |
      And "doomed" ends FAILED
      And no worker is at work
      And the job "report" is submitted
      And "doomed" is queued again with the payload
        """
        {}
        """
      When a worker with 1 place starts
      Then the jobs start in the order "report", "doomed"
