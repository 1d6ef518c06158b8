Feature: Handlers that users bring
  A worker does what its users wrote: functions that say what they take, and give what is worth keeping.

  Background:
    Given a worker is at work

  Rule: A job is handed over as what its handler takes, and keeps what the handler gives

    Scenario: A good order
      When these jobs are submitted
        | job   | type       | payload         |
        | order | order.pack | {"quantity": 2} |
      Then "order" ends SUCCEEDED
      And the result of "order" is
        """
        {"items":2}
        """

    Scenario Outline: A payload that the handler cannot take fails at once, and the reason names what is wrong: <payload>
      When these jobs are submitted
        | job   | type       | payload   |
        | order | order.pack | <payload> |
      Then "order" ends FAILED
      And "order" has 1 attempt
      And the reason of "order" says "<reason>"

      Examples:
        | payload                             | reason                                                    |
        | {}                                  | payload.quantity: Field required                          |
        | {"quantity": 0}                     | payload.quantity: Input should be greater than 0          |
        | {"quantity": 1, "stock": "perhaps"} | payload.stock: Input should be 'here', 'later' or 'never' |
        | [2]                                 | payload: Input should be an object                        |

    Scenario: A result that cannot be kept
      When these jobs are submitted
        | job   | type        | payload         |
        | order | order.weigh | {"quantity": 2} |
      Then "order" ends FAILED
      And the reason of "order" says "result: must be JSON"

  Rule: A handler says what becomes of its job

    Scenario: No other attempt can help
      When these jobs are submitted
        | job   | type       | payload                           |
        | order | order.pack | {"quantity": 2, "stock": "never"} |
      Then "order" ends FAILED
      And the attempts of "order" ended FAILED
      And the reason of "order" says "nobody makes it any more"

    Scenario: Another attempt can help later
      When these jobs are submitted
        | job   | type       | payload                           |
        | order | order.pack | {"quantity": 2, "stock": "later"} |
      Then "order" ends SUCCEEDED
      And the attempts of "order" ended RETRY, SUCCEEDED
      And "order" waited 3 seconds between its attempts
