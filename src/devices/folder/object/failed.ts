/** The error of a file operation, by the name that Linux gives it. */
export const failed = (code: string) => Object.assign(new Error(code), {code});
