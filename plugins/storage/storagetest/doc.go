// Package storagetest holds what every store must do, whatever it is made of.
package storagetest
