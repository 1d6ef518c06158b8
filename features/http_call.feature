@servers
Feature: A call of somebody's web service
  A job may call a web service, here a shop on the worker's own machine, where only workers that were told so may call.

  Rule: The answer decides

    Scenario: An order is taken
      Given a worker may call the shop
      When "order" calls the shop
      Then "order" ends SUCCEEDED
      And the result of "order" is
        """
        {"status": 200, "body": "thank you", "truncated": false}
        """
      And each call of "order" names the job, its attempt and its trace

    Scenario Outline: The shop is busy and wants to be left alone <until>, and the job has less patience
      Given a worker may call the shop
      And the shop is busy once and wants to be left alone <until>
      When "order" calls the shop
      Then "order" ends SUCCEEDED
      And the attempts of "order" ended RETRY, SUCCEEDED
      And "order" waited 0.2 seconds between its attempts
      And each call of "order" names the job, its attempt and its trace

      Examples:
        | until            |
        | for 3600 seconds |
        | until a date     |

    Scenario: The shop will have none of it, and no secret gets out
      Given a worker may call the shop
      And the shop refuses and repeats what it was told
      When "order" calls the shop
      Then "order" ends FAILED
      And "order" has 1 attempt
      And the reason of "order" says "answered 422 Unprocessable"
      And the reason of "order" does not tell the secret, nor does the worker's log

  Rule: Only what the operator allows is called, beside public addresses

    Scenario: A worker that was told nothing
      Given a worker may call nobody here
      When "order" calls the shop
      Then "order" ends FAILED
      And the reason of "order" says "loopback address, which HTTP_CALL_ALLOWED_NETWORKS does not allow"
      And nobody has knocked at the shop
