export {
	AttrOut,
	EntryOut,
	LinkIn,
	MkdirIn,
	MknodIn,
	Opcode,
	OpenOut,
	Rename2In,
	SetattrIn,
	SetattrValid,
} from '../layout.ts';
export {FsDriver, named, releaseOf} from './fs-driver.ts';
