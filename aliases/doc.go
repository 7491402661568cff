// Package aliases makes chat lines into parameters of actions: it compiles the
// formats of action aliases, finds the one alias a line means among thousands,
// extracts its parameters, prints help, and renders what the chat is told when
// the run was accepted and when it ended.
//
// The server-side parser of StackStorm is the authority: a format is a Python
// regular expression with {{ parameters }} in it.
// st2: st2common/st2common/models/utils/action_alias_utils.py
package aliases
