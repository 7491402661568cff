// Package kill kills the built program, again and again, at random moments and
// at the named points of engine/hook, and compares what was accepted with what
// the actions themselves wrote down, what the store says and what the chat saw.
//
// Its tests build cmd/petrel with the tag hooks and run it with authentication
// on, over SQLite and over PostgreSQL. PETREL_SEED repeats the random choices of a
// run; PETREL_SOAK=1 kills 200 times per store instead of 20, and any other
// number that many times.
package kill
