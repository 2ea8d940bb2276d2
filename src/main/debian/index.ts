export {Apt, type ProgramEnd, type RunProgram} from './apt.ts';
export {DebFile} from './deb-file.ts';
export {algorithmOf, type ChecksumAlgorithm, type FileFacts, readFileFacts} from './file-facts.ts';
export {Package, PackageList, type PackageText} from './package-list.ts';
export {
	type ChosenPackages,
	type DownloadedChoice,
	type DownloadedPackage,
	downloadChosen,
	type PackageSource,
} from './package-source.ts';
export {Paragraph, paragraphs} from './paragraph.ts';
export {isMet, parseRelations, type Relation, relationText} from './relations.ts';
export {type BaseSystem, type PackageChoice, selectPackages} from './select-packages.ts';
export {compareVersions} from './versions.ts';
