/** Where a Linux kernel's text about its own layout begins: it has a page of its own (kernel/vmcore_info.c). */
const beginning = Buffer.from('OSRELEASE=');
const needed = /^PAGESIZE=\d+\n[\s\S]*^SYMBOL\(/m;

/** The most that the text can have: its page. */
export const maxVmcoreinfoBytes = 4096;

/** The VMCOREINFO text that this page of guest memory holds, if it does. A guest that lies misleads its own debugging. */
export function findVmcoreinfo(page: Uint8Array): Uint8Array | undefined {
	if (beginning.compare(page, 0, beginning.length) !== 0) return undefined;
	const end = page.indexOf(0);
	// A copy, which slice() of a Buffer is not: the page is read into again.
	const text = Uint8Array.from(page.subarray(0, end < 0 ? page.length : end));
	return needed.test(Buffer.from(text).toString('latin1')) ? text : undefined;
}
