package secrets

import "github.com/stashbase/vault-stashbase/vault-plugin/internal/budget"

// MaxHeld is the most bytes of values that one request opens.
const MaxHeld = maxHeld

// Opened returns the budgets of open values, of requests and of what lasts longer.
func (s *Service) Opened() (requests, lasting *budget.Budget) { return s.opened, s.openedLong }

// SetOpened replaces the budget of requests.
func (s *Service) SetOpened(b *budget.Budget) { s.opened = b }
