export {canRun, type DoctorOptions, doctor, examineHost, findingsText} from './doctor.ts';
export {type Evidence, hostEvidence} from './evidence.ts';
