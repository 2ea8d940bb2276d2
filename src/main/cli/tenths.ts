/** Says how far something has come, ten times in all. */
export function tenths(say: (text: string) => void): (done: number, total: number) => void {
	let said = 0;
	return (done, total) => {
		const tenth = Math.floor((done / total) * 10);
		if (tenth === said) return;
		said = tenth;
		say(`${tenth * 10} %`);
	};
}
