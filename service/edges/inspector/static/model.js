/** What the API says of models and of what they did. Types only: there is nothing to import here. */

/**
 * @typedef {object} Signature
 * @property {"tokens"|"values"|"probabilities"|"quantiles"|"labels"|"classes"} kind
 * @property {string[]} names
 * @property {string[]} units
 * @property {number[]} levels of quantiles
 * @property {number} [width] of probabilities of tokens
 * @property {string[]} [vocabulary] of tokens
 * @property {string} [token] what a token is: "item", …
 * @property {unknown} [missing] how missing values are taken, if they are
 */

/** @typedef {{name: string, alpha: number | null, beta: number | null}} Activation as ONNX names it */

/**
 * @typedef {object} Layer
 * @property {number} layer
 * @property {number} hidden_size
 * @property {number} lanes
 * @property {"before"|"after"} reset
 * @property {string[]} gates
 * @property {Activation} gate_activation
 * @property {Activation} candidate_activation
 * @property {number | null} clip of what the activations are applied to
 */

/**
 * @typedef {object} Score
 * @property {string} metric
 * @property {string} unit
 * @property {number} model
 * @property {Record<string, number>} baselines
 * @property {"lower"|"higher"} better
 */

/** @typedef {{text?: string, inputs?: any[]}} Example */

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {number} version
 * @property {string} task
 * @property {Signature} input
 * @property {Signature} output
 * @property {[number, number][]} input_ranges what it was trained on; empty where nobody knows
 * @property {string} takes
 * @property {string} gives
 * @property {boolean} sessions
 * @property {string | null} reason
 * @property {number | null} window
 * @property {number} delay
 * @property {Layer[]} layers
 * @property {Score[]} scores
 * @property {string} provider
 * @property {Example} example
 * @property {string | null} report
 * @property {number | null} default
 */

/** @typedef {{token: number, text?: string, item?: string, label: string, probability: number}} Likely */

/**
 * @typedef {object} SequenceAnswer also of steps
 * @property {number[][]} outputs
 * @property {Likely[][]} [next]
 */

/** @typedef {string | number | (number | null)[]} Step a character, a token's id or name, or a row of numbers */

export {};
