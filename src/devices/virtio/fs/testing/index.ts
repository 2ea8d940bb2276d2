export {
	AttrOut,
	CreateIn,
	EntryOut,
	fuseVersion,
	InHeader,
	InitIn,
	LinkIn,
	MkdirIn,
	MknodIn,
	Opcode,
	OpenIn,
	OpenOut,
	OutHeader,
	ReadIn,
	Rename2In,
	SetattrIn,
	SetattrValid,
	WriteIn,
} from '../layout.ts';
export {FsDriver, named, releaseOf} from './fs-driver.ts';
export {WildClient} from './wild-client.ts';
