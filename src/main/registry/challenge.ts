/** What a registry says that it wants to know who asks (RFC 9110, 11.6.1; distribution, "Token Authentication Specification"). */
export interface Challenge {
	/** In small letters. */
	readonly scheme: string;
	readonly parameters: Readonly<Record<string, string>>;
}

const parameter = /^\s*,?\s*([a-zA-Z0-9_-]{1,64})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/;
const mostParameters = 32;

/** Parses the first challenge of a header; undefined for what is none. */
export function parseChallenge(header: string): Challenge | undefined {
	const [start, scheme] = /^\s*([a-zA-Z0-9_-]{1,64})(?:\s+|$)/.exec(header) ?? [];
	if (start === undefined || scheme === undefined) return undefined;
	const parameters: Record<string, string> = {};
	let rest = header.slice(start.length);
	for (let count = 0; count < mostParameters; count++) {
		const found = parameter.exec(rest);
		if (found === null) break;
		const [whole, name = '', quoted, plain] = found;
		parameters[name.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '';
		rest = rest.slice(whole.length);
	}
	return {scheme: scheme.toLowerCase(), parameters};
}
