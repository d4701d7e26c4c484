/** An answer that is not a success: a status and the text that goes into `status.error`. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** The body is not of the expected form. */
  static format(problem: string): ApiError {
    return new ApiError(400, `Format error in JSON body: ${problem}`);
  }

  /** The body has the right form but a value out of its bounds. */
  static validation(problem: string): ApiError {
    return new ApiError(422, `Validation error in JSON body: [${problem}]`);
  }

  /** The request does not fit the collection. */
  static wrongInput(problem: string): ApiError {
    return new ApiError(400, `Wrong input: ${problem}`);
  }

  /** Something named in the request does not exist. */
  static notFound(what: string): ApiError {
    return new ApiError(404, `Not found: ${what}`);
  }

  /** A real Qdrant would do it; refusing is better than a wrong answer. */
  static notDone(what: string): ApiError {
    return new ApiError(
      501,
      `Not implemented: this is a small stand-in for Qdrant, and it does not do ${what}. ` +
        'Use a real Qdrant for it: set QDRANT_URL, or install the qdrant binary (or name it in QDRANT_BINARY).',
    );
  }
}
