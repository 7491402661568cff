// Package bot is the chat: it takes lines and clicks from any chat service,
// finds the command a line means, asks who may run it, starts the run, and
// keeps one message up to date from the acknowledgement to the reply.
//
// What comes in is stored before the service is told that it was received, and
// handled by whichever node claims it. What goes out is a row with a revision,
// rendered from the stored execution, so that a reply that was not sent is
// found again. Chat services are adapters; the suite in bottest checks them.
package bot
