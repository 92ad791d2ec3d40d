// Package secrets owns the secrets of environments: their versions, reading and writing them one by
// one or many at once, and sealing them again after a key rotation. It knows nothing of paths and
// responses. Values are opened late, one call at a time; the cache holds sealed values only.
//
// # Where a value is
//
// A head, sec/<env_id>/<name>, holds the metadata of all kept versions, the sealed value of the
// newest, and those of the versions just before it. The oldest versions have their values in
// entries of their own, ver/<env_id>/<name>/<n>. So the kept versions are always
//
//	spilled, spilled, ..., inline, inline, ..., newest
//
// and three things hold of every stored head:
//
//   - The newest value is in the head. Of the others as many are inline as fit into inlineBytes,
//     and into the entry beside the newest value and the metadata; the oldest are spilled. A
//     spilled version never becomes inline again.
//   - A kept version that is not destroyed and not inline has its entry under ver/. A destroyed
//     version has no bytes in the head.
//   - An entry under ver/ that no kept version needs has a number from Head.Floor up to the oldest
//     kept version, is in Head.Doomed, or belongs to a version that the head holds. The first two
//     are removed by the next write or cold read. The last is what a write left that a crash
//     interrupted. Nobody reads it: it is overwritten when the version spills, and removed when the
//     version is destroyed or pushed out.
//
// That a crash may have left such an entry costs a Delete for each inline version that is pushed
// out. Head.NeverSpilled, which only memory has, spares it to the versions that this process wrote.
// A storage call that fails drops the head from memory, and with it what was known.
//
// # The order of storage calls
//
// One Put is the only atomic unit. Every change of one secret has one commit, the Put of its head:
//
//   - A write, a patch and a rollback put what spills under ver/, in parallel, then the head. A
//     crash before the head's Put leaves the old head, which still holds what was spilled. Values
//     that are pushed out are removed afterwards, in the background.
//   - A change of metadata is a write without a new value: larger metadata may spill, and a lower
//     max_versions pushes out.
//   - Delete and undelete put the head.
//   - Destroy puts a head without the inline values and with the versions that may be under ver/ in
//     Doomed, removes those, then puts the head without Doomed. It is one Put where nothing can be
//     under ver/.
//   - A removal puts a dying head without values, removes what is under ver/, puts the tombstone
//     and deletes the head.
//   - A rewrap puts each spilled version that is under an older key, then the head with all that it
//     holds. Every one of these Puts leaves a secret whose versions all open, whatever follows.
//   - A write of many secrets puts a redo log, whose last chunk is the commit. A pending head,
//     which a change in the log makes of a stored one, exists in memory only and keeps every value
//     that the stored head holds. Applying the change to one secret is the write above: a Get and a
//     Put of the head, and the spills before it. It may be repeated after a crash at any point.
//
// What reads an older version, as version_at, compare, revert and rollback do, takes it from the
// head, or with one Get from ver/.
package secrets
