// Package outbound owns the way out to the network: which addresses may be dialled, how the other side is recognised, how long and
// how much is read, what is repeated, when to wait, and what of a failure may be told. It knows no vendor, no storage and no
// Vault.
//
// A mount has one [Gateway], which holds the egress policy in force. A [Client] is made from it for one integration and keeps that
// integration's connections and its knowledge of the other side's rate limits. A request and its answer are never logged, and no
// error holds a part of either.
package outbound
