/** Names of a flag's value, between commas. */
export const splitNames = (text: string): string[] =>
	text
		.split(',')
		.map((name) => name.trim())
		.filter((name) => name !== '');
