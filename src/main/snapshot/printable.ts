const mostLetters = 120;

/** Makes the words of a snapshot's author safe to show to a person. */
export const printable = (words: string): string =>
	(words.length > mostLetters ? `${words.slice(0, mostLetters)}…` : words).replaceAll(/[^ -~…]/g, '?');
