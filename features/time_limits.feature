Feature: Time limits
  A job may take as long as it was given. Then its place is for others, whatever it does.

  Background:
    Given a worker with 1 place is at work alone

  Rule: An attempt is over at its time limit

    Scenario: A job that stops when it is told to
      When these jobs are submitted
        | job  | runs for | time limit | most attempts | first wait |
        | slow | 60       | 0.3        | 2             | 0.1        |
        | mail | 0        |            |               |            |
      Then "slow" ends DEADLETTER
      And the attempts of "slow" ended TIMED_OUT, TIMED_OUT
      And the reason of "slow" says "ran longer than its timeout of 0.3 s"
      And "mail" ends SUCCEEDED

    Scenario: A job that does not
      When these jobs are submitted
        | job      | type        | payload        | time limit | most attempts |
        | stubborn | unruly.stay | {"seconds": 3} | 0.3        | 1             |
        | mail     |             |                |            |               |
      Then "stubborn" ends DEADLETTER
      And the reason of "stubborn" says "ran longer than its timeout of 0.3 s"
      And "mail" ends SUCCEEDED
      And "mail" started as soon as "stubborn" had ended
      When 4 seconds pass
      Then "stubborn" is DEADLETTER
      And the attempts of "stubborn" ended TIMED_OUT

    Scenario: A job within its limit ends as it will
      When these jobs are submitted
        | job  | runs for | time limit |
        | slow | 0.3      | 60         |
      Then "slow" ends SUCCEEDED
      And the attempts of "slow" ended SUCCEEDED
