// Command petrel is the whole product: server, chat prompt and command line.
package main

import (
	"context"
	"os"

	"petrel/cmd/petrel/cli"
)

func main() { os.Exit(cli.New().Run(context.Background(), os.Args[1:])) }
