// Package api serves StackStorm's HTTP interface: the same paths, shapes and
// error texts, so that existing clients work unchanged, and the server-sent
// event stream. One file per noun; what StackStorm does not have (audit, chat,
// health) stands beside it under the same prefixes.
package api
