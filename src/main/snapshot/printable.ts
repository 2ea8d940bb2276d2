const mostLetters = 120;

/** What a snapshot's author wrote, as it is shown to a person. */
export const printable = (words: string): string =>
	(words.length > mostLetters ? `${words.slice(0, mostLetters)}…` : words).replaceAll(/[^ -~…]/g, '?');
