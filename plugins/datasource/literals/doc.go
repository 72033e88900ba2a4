// Package literals writes arguments into statements for servers whose protocols have none.
package literals
