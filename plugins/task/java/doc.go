// Package java is the JAVA task: a source file that is compiled and run, or a JAR.
package java
