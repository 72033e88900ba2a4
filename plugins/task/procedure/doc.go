// Package procedure is the PROCEDURE task: a call of a stored procedure or function with parameters in both directions.
package procedure
