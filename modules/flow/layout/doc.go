// Package layout decides where the tasks of a workflow stand on the canvas and can draw the result as a static SVG.
//
// It is pure: no clock, no randomness, no I/O except the writer handed to SVG. The same graph always gives the same
// picture, so saving a workflow twice does not move anything and tests can compare coordinates.
//
// The method is the layered one. Every connected component is laid out alone:
//
//  1. ranks: longest path from the sources; a source is then pulled next to its first successor;
//  2. long edges get one dummy vertex per rank they cross, so that they take part in the ordering;
//  3. order inside a rank: median sweeps in both directions, the order with the fewest crossings wins;
//  4. coordinates inside a rank: each vertex wishes to stand at the mean of its neighbours, and the wishes are
//     reconciled with the gaps by pooling adjacent violators.
//
// The components are then packed on shelves. A cycle, which a valid workflow never has, does not break the layout: the
// edges that close it are left out of the ranking.
package layout
