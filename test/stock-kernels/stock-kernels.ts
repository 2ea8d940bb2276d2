import {existsSync} from 'node:fs';
import {join} from 'node:path';

const packages = join(process.cwd(), '.packages');

/** Kernels of Debian, unmodified, by what each is for, and where the tests' pipeline puts them. */
const folders = {
	/** For virtual machines: few drivers are built in. */
	cloud: join(packages, 'linux'),
	/** For any hardware. */
	generic: join(packages, 'kernels/generic'),
	/** The newest that Debian has for its release, for any hardware. */
	newest: join(packages, 'kernels/newest'),
};

export type StockKernel = keyof typeof folders;

/** The files of a kernel, and of the initial file system that tests boot with it. */
export const stockFiles = (kernel: StockKernel): {readonly kernel: string; readonly initrd: string} => ({
	kernel: join(folders[kernel], 'vmlinuz'),
	initrd: join(folders[kernel], 'initrd.cpio'),
});

/** True where there is such a kernel to boot. */
export const hasStockKernel = (kernel: StockKernel = 'cloud'): boolean => existsSync(stockFiles(kernel).kernel);
