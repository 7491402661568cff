// Package auth knows who is calling and what they may do: users and their
// passwords, tokens, API keys, chat identities, and the one place that answers
// "may this caller do that", asked by the API, the chat and the command line
// alike.
package auth
