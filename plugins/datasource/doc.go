// Package datasource is what a type of data source is: a value that describes one kind of database or service, says how
// other programs reach it (a JDBC address), and opens it where this program has a driver.
//
// Types, field names, addresses and the text of connectionParams are DolphinScheduler's, because exported data sources and
// the programs that tasks start (DataX, Sqoop, Spark) contain them.
//
// What somebody types travels into addresses, so it is checked first: hosts, databases and the names and values of further
// parameters may not hold what would end one parameter and begin another, and parameters that make a driver load code,
// read files or write them are refused wherever they come from (see Forbidden). Of further parameters only those that a
// driver here is known to treat harmlessly reach it; all of them are in the JDBC address.
//
// Connections are opened through kit/dial, which keeps credentials of the cloud out of reach. A type without a driver can be
// stored and its address be used by tasks; testing it says honestly why not.
package datasource
