import {
  to = stashbase_workspace.payments
  identity = {
    name = "payments"
  }
}
