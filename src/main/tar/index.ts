export {ByteStream, gather} from './byte-stream.ts';
export {type TarForms, type TarKind, type TarMember, tarMembers} from './tar.ts';
