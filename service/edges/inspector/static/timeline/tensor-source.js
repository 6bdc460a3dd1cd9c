/** Where heat maps get their numbers: a part of a tensor at a time, at the resolution that is drawn. */

/**
 * A part of a tensor. Where it has more steps than columns were asked for, a column stands for
 * `stepsPerColumn` of them (the last one may have fewer) and has their least and greatest value, so
 * that what happens in a single step stays visible. NaN: no value.
 *
 * @typedef {object} TensorWindow
 * @property {number} from first step
 * @property {number} to the step behind its last one
 * @property {number} stepsPerColumn
 * @property {number} columns
 * @property {Float32Array} low [columns, units]: values, or the least of them
 * @property {Float32Array} high the same array as `low`, or the greatest
 */

/** @typedef {"number" | "memory" | "peak" | "component" | "cluster" | `following:${string}`} Ordering */

/**
 * @typedef {object} TensorSource
 * @property {number} steps how many there are now
 * @property {(layer: number) => number} units of a layer
 * @property {(tensor: string, layer: number, units: number[] | null, from: number, to: number,
 *   columns: number) => Promise<TensorWindow>} window steps [from, to) of some units, or of all
 * @property {(tensor: string, layer: number) => Promise<{mean: Float64Array, deviation: Float64Array}>}
 *   spread of each unit over all steps
 * @property {(tensor: string, layer: number, by: Ordering) => Promise<number[]>} order units, first
 *   to last
 */

export {};
