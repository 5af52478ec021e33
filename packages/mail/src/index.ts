export { MailError, type MailErrorCode, type MailStage } from './mail-error';
export { createMailer, type Letter, type Mailer, type MailerOptions, type Sent } from './mailer';
