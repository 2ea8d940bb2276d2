/** A file that a kernel is given. */
export interface ModuleFile {
	readonly path: string;
	/** For whom it is for, separated by spaces. */
	readonly words: string;
}

/**
 * The files that an initrd option names. It is the path of one, or, as QEMU has it, a list for kernels that take modules:
 * `FILE WORDS,FILE WORDS`, where two commas mean one that belongs to a name or a word.
 * @param exists - a path that exists as it stands is no list
 */
export function moduleFiles(text: string, exists: (path: string) => boolean): ModuleFile[] {
	if (exists(text)) return [{path: text, words: ''}];
	// No path and no command line has a zero byte.
	const parts = text.replaceAll(',,', '\0').split(',');
	return parts.map((part) => {
		const [path = '', ...words] = part.replaceAll('\0', ',').trim().split(' ');
		return {path, words: words.join(' ')};
	});
}
