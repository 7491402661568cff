// Package petrel holds the words of the domain: the nouns with StackStorm's
// names, their references and ids, the statuses of an execution with their
// legal transitions, and the kinds of errors. It imports the standard library
// only, so that every other package can speak these words.
package petrel
