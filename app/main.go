// Command dorado is the whole product: pages, REST, the engine and the workers, in one process or in several.
package main

import (
	"os"
	_ "time/tzdata" // zones must resolve on machines without a zone database

	"dorado/app/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
