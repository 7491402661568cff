// Package hostile sends hostile input to a whole Petrel: to its API, its chat,
// its packs, its actions and its command line. Every test is named for the row of
// the list of hostile inputs or faults it is about (H03, F42).
//
// For every input the same is asked: the answer names what is wrong and the
// limit, nothing is half saved, the next request is served within a second, no
// secret shows up in answers or logs, and memory stays within a stated bound.
package hostile
