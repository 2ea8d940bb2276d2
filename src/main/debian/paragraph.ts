/** One paragraph of a control file: the fields of a package, by their names in lower case (Debian Policy 5.1). */
export class Paragraph {
	/** The paragraph as it was read, without the empty lines around it. */
	readonly text: string;

	constructor(text: string) {
		this.text = text;
	}

	/** Gives a field's value, its further lines with the line breaks between them, or undefined without such a field. */
	field(name: string): string | undefined {
		const found = new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t].*)*)`, 'im').exec(this.text);
		return found?.[1]?.trimEnd();
	}

	/** Without these fields. */
	without(...names: readonly string[]): Paragraph {
		const fields = new RegExp(`^(?:${names.join('|')}):.*(?:\\n[ \\t].*)*\\n?`, 'gim');
		return new Paragraph(this.text.replace(fields, '').trimEnd());
	}
}

/** Splits a control file, whose paragraphs have empty lines between them. */
export const paragraphs = (text: string): Paragraph[] =>
	text
		.split(/\n(?:[ \t]*\n)+/)
		.filter((each) => each.trim() !== '')
		.map((each) => new Paragraph(each.trim()));
