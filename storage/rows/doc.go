// Package rows holds what every SQL store does with a value before it is
// written and after it is read: times as microseconds, users' values packed,
// the status log as text, the copies of actions and runners by content hash,
// and the check of texts that a column cannot hold. It knows no database.
package rows
