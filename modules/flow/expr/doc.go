// Package expr evaluates the conditions of SWITCH tasks: expressions of JavaScript without statements.
//
// There are numbers, texts in double or single quotes, true, false, null, undefined, lists in [], and
//
//	! && ||  == != === !==  < <= > >=  + - * / %  ?:  ( )  x[i]
//	.length .includes() .indexOf() .startsWith() .endsWith() .toLowerCase() .toUpperCase() .trim() .charAt() .substring()
//	Number() String() Boolean() parseInt() parseFloat()
//
// with JavaScript's rules, its loose equality among them: "10" == 10 and null == undefined are true, [1] == [1] is not.
//
// ${name} stands for a parameter. Its declared type says how it is read: numbers and booleans as they are, everything
// else as a text. Within quotes it is part of the text, so "${x}" is the value of x and not, as it would be after mere
// replacement, a syntax error. Values are never read as code. A name that nothing defines is an error outside quotes and
// stays as it is within.
//
// An expression cannot loop, so its work is bounded by its size; loops and other statements are refused by name. On top
// of that evaluation counts its steps and stops after MaxSteps, which takes less than a second on any machine. Counting
// instead of looking at a clock gives the same answer everywhere.
package expr
