import {
  to = stashbase_workspace.payments
  id = "payments"
}
