//! Sessions of boards that are awake in a running hub: seen, and ended.

use actors::hub::{AwakePage, EndSession, FindSessions};
use serde_json::json;
use storage::{Board, TenantId};

use super::{Admin, AdminError, refused};

impl Admin {
    /// A page of the sessions that are awake; of none where no hub runs.
    ///
    /// # Errors
    /// [`AdminError::NotLive`].
    pub fn find_sessions(&self, find: FindSessions) -> Result<AwakePage, AdminError> {
        Ok(self.tell(|live| live.find_sessions(find))?.unwrap_or_default())
    }

    /// How many boards of each tenant have a session awake; of none where no hub runs.
    ///
    /// # Errors
    /// [`AdminError::NotLive`].
    pub fn awake(&self) -> Result<Vec<(TenantId, usize)>, AdminError> {
        Ok(self.tell(|live| live.awake())?.unwrap_or_default())
    }

    /// Ends a board's session, for good; the board may begin another at once.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where none is awake.
    pub fn end_session(&self, board: &Board) -> Result<(), AdminError> {
        let (tenant, id) = (board.tenant.clone(), board.id.clone());
        let ended = self.tell(|live| live.end_session(EndSession { tenant, board: id }))?;
        if ended != Some(true) {
            return Err(refused(format!("board {} has no session awake", board.id)));
        }
        self.record("session.end", &board.id, json!({ "tenant": board.tenant }))
    }
}
