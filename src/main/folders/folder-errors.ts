/** The error of a file operation, by the name that Linux gives it: what `node:fs` throws has the same `code`. */
export const fileError = (code: string, path: string): NodeJS.ErrnoException =>
	Object.assign(new Error(`${code}: ${path}`), {code, path});
