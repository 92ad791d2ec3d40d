// Package outbound makes all network requests of the engine. It decides which addresses may be
// dialled, how the service is authenticated, how long to wait for a response and how much of it to
// read, what is repeated, when to wait, and which parts of a failure an error may contain. It does
// not depend on any vendor, on storage or on Vault.
//
// A mount has one [Gateway], which enforces the current egress policy. A [Client] is created from
// the gateway for one integration. It keeps the connections of that integration and the state of
// the service's rate limits. Requests and responses are never logged, and no error contains a part
// of either.
package outbound
