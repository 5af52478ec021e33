export { type FileMakerClientOptions, FileMakerOptionsError } from './client-options';
export {
  FILEMAKER_CODE_TABLE,
  type FileMakerCodeRow,
  type FileMakerRowDifference,
} from './error-codes';
export {
  type CreatedRecord,
  type CreateRecordCall,
  createFileMakerClient,
  type EditRecordCall,
  type FieldData,
  type FileMakerClient,
  type FindCall,
  type FindResult,
  type FoundRecord,
  type ProductInfo,
  type ScriptAnswer,
} from './filemaker-client';
export {
  type FileMakerEndpoint,
  FileMakerError,
  type FileMakerErrorCode,
  type FileMakerHalt,
  type FileMakerJudgement,
  type FileMakerResend,
  type FileMakerSessionFate,
  type FileMakerStage,
  type TransportFault,
} from './filemaker-error';
export { exactly } from './find-criteria';
export { judgeApiCode, judgeTransport, type TransportReport } from './judge-failure';
export type { ScriptCall } from './request-urls';
export {
  judgeScriptAnswer,
  type KitResult,
  type ScriptContract,
  type ScriptVerdict,
  type ScriptVerdictCode,
  type ScriptVerdictKind,
} from './script-verdict';
