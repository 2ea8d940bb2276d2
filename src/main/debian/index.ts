export {Apt, type DownloadedPackage, type ProgramEnd, type RunProgram} from './apt.ts';
export {gather} from './byte-stream.ts';
export {DebFile} from './deb-file.ts';
export {Package, PackageList} from './package-list.ts';
export {Paragraph, paragraphs} from './paragraph.ts';
export {isMet, parseRelations, type Relation, relationText} from './relations.ts';
export {type BaseSystem, type PackageChoice, selectPackages} from './select-packages.ts';
export type {TarKind, TarMember} from './tar.ts';
export {compareVersions} from './versions.ts';
